"""One module an ESMTP extension; each holds it as ``PART`` (`mailsuite.smtp.extension`)."""
