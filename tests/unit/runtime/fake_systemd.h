/* A private bus with a service in systemd's place, for tests of who asks systemd for groups: it answers as systemd would and writes down what it
 * was asked, a line a call (member, signature, unit, the body's text) in DIR/calls. It makes no groups: on v1 the callers do that anyway.
 * Units with names of their own: tare-there.scope exists already, tare-bad.scope fails to start, tare-gone.scope is not there. */
#ifndef TARE_TEST_FAKE_SYSTEMD_H
#define TARE_TEST_FAKE_SYSTEMD_H

/* Both buses of the environment are this one from then on. parent: what the groups of units are told to lie below. -1: no dbus-daemon. */
int fake_systemd_start(const char *dir, const char *parent);
void fake_systemd_stop(void);

#endif
