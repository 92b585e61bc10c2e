"""The languages of responses (RFC 6856 §3), one file each: a new file is a new language."""
