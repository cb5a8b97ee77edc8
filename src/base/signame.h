/* Signals by name (signal(7)). */
#ifndef TARE_BASE_SIGNAME_H
#define TARE_BASE_SIGNAME_H

/* The number of "KILL", "SIGKILL" or "sigkill"; 0: no such name. Real-time signals have none. */
int signal_number(const char *name);

#endif
