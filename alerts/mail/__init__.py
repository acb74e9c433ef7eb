"""Mail: templates in, SMTP out; and the catcher, an SMTP server of our own to try things with."""
