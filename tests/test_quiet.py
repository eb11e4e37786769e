import subprocess
import sys

NOTE = "I0000 00:00:1.5 1 port.cc:153] oneDNN custom operations are on."
CUDA = "failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR"
NO_DRIVER = f"E0000 00:00:1.5 1 cuda_platform.cc:52] {CUDA} (303)"
OLD_DRIVER = f"E0000 00:00:1.5 1 cuda_platform.cc:52] {CUDA} (803)"


def test_errors_of_native_code_are_passed_on_and_notes_are_not():
    code = (
        "import os\n"
        "from cyclegan_keras._quiet import without_startup_notes\n"
        "with without_startup_notes():\n"
        f"    os.write(2, b{NOTE + chr(10)!r})\n"
        f"    os.write(2, b{NO_DRIVER + chr(10)!r})\n"
        f"    os.write(2, b{OLD_DRIVER + chr(10)!r})\n"
        "os.write(2, b'after\\n')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr == f"{OLD_DRIVER}\nafter\n"


def test_a_failing_import_still_says_why():
    code = (
        "from cyclegan_keras._quiet import without_startup_notes\n"
        "with without_startup_notes():\n    import no_such_module"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "No module named 'no_such_module'" in result.stderr
