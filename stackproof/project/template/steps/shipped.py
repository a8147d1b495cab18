"""Every step that comes with Stackproof; `stackproof steps` lists them."""

from stackproof.session.shipped import load_steps

load_steps()
