"""`python -m lst_robust`, the same as the command `lst-robust`."""

from lst_robust.cli import main

if __name__ == "__main__":
    main()
