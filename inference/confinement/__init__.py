"""What processes that decode strangers' files give up before, without rights and for good (Linux).

System calls by hand, since no package for them is kept up: of those on PyPI pyseccomp is of 2021 and wants a system
library, py-landlock has had two releases in one week.
"""
