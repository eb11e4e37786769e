"""Images in and out of files, and the data sets made of them."""
