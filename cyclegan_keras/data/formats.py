"""Which formats of pictures are read, and what files of other kinds are."""

# Whatever a file is called, its content says which of these it is. Pillow knows many more; some of
# those start other programs, as PostScript does, and few are ever tested.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "JPEG2000", "AVIF")

SUFFIXES = frozenset(
    ".apng .avif .bmp .gif .j2c .j2k .jfif .jp2 .jpc .jpe .jpeg .jpf .jpg .jpx .mpo .png "
    ".tif .tiff .webp".split()
)

# Pictures that are not read, and what can be done about it.
UNREADABLE = {
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIC: convert it, with pillow-heif for one"),
    **dict.fromkeys((".dcm", ".dicom", ".ima"), "DICOM: convert it to TIFF, with pydicom for one"),
    **dict.fromkeys((".nii", ".nrrd", ".mha", ".mhd"), "a volume: save its slices as TIFF"),
    **dict.fromkeys((".npy", ".npz", ".mat", ".h5", ".hdf5"), "arrays: save them as PNG or TIFF"),
    **dict.fromkeys(
        (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"),
        "camera raw: develop it to TIFF, with rawpy for one",
    ),
    **dict.fromkeys((".jxl",), "JPEG XL: convert it"),
    **dict.fromkeys((".psd", ".xcf", ".svg", ".eps", ".pdf"), "a document: export it as PNG"),
    **dict.fromkeys(
        (".exr", ".hdr", ".fits", ".fit", ".czi", ".nd2", ".lif"), "convert it to TIFF"
    ),
    **dict.fromkeys(
        (".tga", ".ico", ".pcx", ".sgi", ".ras", ".dds", ".pbm", ".pgm", ".pnm", ".ppm"),
        "convert it to PNG",
    ),
    **dict.fromkeys((".avi", ".mkv", ".mov", ".mp4", ".webm"), "a video: save its frames as PNG"),
    **dict.fromkeys((".7z", ".gz", ".rar", ".tar", ".tgz", ".zip"), "an archive: unpack it"),
}
