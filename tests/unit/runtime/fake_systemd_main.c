/* fake_systemd.h as a program, for tests that are scripts: fake_systemd DIR PARENT. Prints a line when the bus stands, and lasts until it is ended. */
#include <stdio.h>
#include <unistd.h>
#include "fake_systemd.h"

int main(int argc, char **argv)
{
        if (argc != 3 || fake_systemd_start(argv[1], argv[2]) < 0)
                return 1;
        puts("ready");
        fflush(stdout);
        pause();
}
