import subprocess
import sys

NOTE = "I0000 00:00:1.5 1 port.cc:153] oneDNN custom operations are on."
ERROR = "E0000 00:00:1.5 1 allocator.cc:9] out of memory"


def test_errors_of_native_code_are_passed_on_and_notes_are_not():
    code = (
        "import os\n"
        "from cyclegan_keras.cli.quiet import without_startup_notes\n"
        "with without_startup_notes():\n"
        f"    os.write(2, b{NOTE + chr(10)!r})\n"
        f"    os.write(2, b{ERROR + chr(10)!r})\n"
        "os.write(2, b'after\\n')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr == f"{ERROR}\nafter\n"


def test_a_failing_import_still_says_why():
    code = (
        "from cyclegan_keras.cli.quiet import without_startup_notes\n"
        "with without_startup_notes():\n    import no_such_module"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "No module named 'no_such_module'" in result.stderr
