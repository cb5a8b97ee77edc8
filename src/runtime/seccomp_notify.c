#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/seccomp-internal.h"

int seccomp_hand_over(const struct oci_seccomp *profile, int listener_fd, pid_t pid, const char *state, struct err *err)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        if (!profile || str_empty(profile->listener_path) || strlen(profile->listener_path) >= sizeof(address.sun_path))
                return err_set(err, ERR_INVALID,
                               "linux.seccomp.listenerPath: SCMP_ACT_NOTIFY needs the path of a socket");
        memcpy(address.sun_path, profile->listener_path, strlen(profile->listener_path) + 1);
        _cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (sock < 0 || connect(sock, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return err_sys(err, "linux.seccomp.listenerPath: failed to connect with seccomp agent %s", profile->listener_path);
        _cleanup_json_ json_t *o = json_object();
        json_object_set_new(o, "ociVersion", json_string("1.2.0"));
        json_object_set_new(o, "fds", json_pack("[s]", "seccompFd"));
        json_object_set_new(o, "pid", json_integer(pid));
        json_set_string(o, "metadata", profile->listener_metadata);
        if (state)
                json_object_set_new(o, "state", json_loads(state, 0, NULL));
        _cleanup_free_ char *text = json_text(o);
        return fd_send(sock, &listener_fd, 1, text, strlen(text), err);
}
