// Writes a ZIP archive without compression: PNG files are compressed already.

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

// Files: [{ name, blob }] with names that differ; below 4 GB in all, beyond which ZIP is another
// format.
async function zipped(files) {
  const parts = [];
  const directory = [];
  const now = new Date();
  const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
  const date =
    (Math.max(0, now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
  let offset = 0;
  for (const { name, blob } of files) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const encoded = new TextEncoder().encode(name);
    // Version 2.0; the flag says that names are UTF-8.
    const common = [20, 0x0800, 0, time, date];
    const numbers = new DataView(new ArrayBuffer(26));
    common.forEach((value, place) => numbers.setUint16(2 * place, value, true));
    numbers.setUint32(10, crc32(bytes), true);
    numbers.setUint32(14, bytes.length, true);
    numbers.setUint32(18, bytes.length, true);
    numbers.setUint16(22, encoded.length, true);
    parts.push(signature(0x04034b50), numbers.buffer, encoded, blob);
    const rest = new DataView(new ArrayBuffer(14));
    rest.setUint32(10, offset, true);
    directory.push(signature(0x02014b50), Uint8Array.of(20, 0), numbers.buffer, rest.buffer, encoded);
    offset += 30 + encoded.length + bytes.length;
    if (offset > 0xfff00000) throw new Error("Together, the pictures are too large for a ZIP file.");
  }
  const size = new Blob(directory).size;
  const end = new DataView(new ArrayBuffer(18));
  end.setUint16(4, files.length, true);
  end.setUint16(6, files.length, true);
  end.setUint32(8, size, true);
  end.setUint32(12, offset, true);
  return new Blob([...parts, ...directory, signature(0x06054b50), end.buffer], {
    type: "application/zip",
  });
}

function signature(number) {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, number, true);
  return view.buffer;
}
