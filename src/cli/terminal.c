/* Our terminal: raw mode and size. */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/session.h"

static struct termios saved;
static bool is_raw;

void terminal_restore(void)
{
        if (is_raw)
                tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
        is_raw = false;
}

int terminal_raw(struct err *err)
{
        static bool registered;
        struct termios raw;
        if (tcgetattr(STDIN_FILENO, &saved) < 0)
                return err_sys(err, "the terminal");
        raw = saved;
        cfmakeraw(&raw);
        if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
                return err_sys(err, "the terminal");
        is_raw = true;
        if (!registered)
                registered = atexit(terminal_restore) == 0;
        return 0;
}

void terminal_size(uint16_t *ret_rows, uint16_t *ret_columns)
{
        struct winsize size;
        for (int fd = 0; fd < 3; fd++)
                if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
                        *ret_rows = size.ws_row;
                        *ret_columns = size.ws_col;
                        return;
                }
        *ret_rows = *ret_columns = 0;
}

static int key_parse(const char *key, uint8_t *ret, struct err *err)
{
        const char *control = str_after(key, "ctrl-");
        if (control && strlen(control) == 1 && strchr("@abcdefghijklmnopqrstuvwxyz[\\]^_", control[0])) {
                *ret = (uint8_t)(control[0] & 0x1f);
                return 0;
        }
        if (strlen(key) == 1) {
                *ret = (uint8_t)key[0];
                return 0;
        }
        return err_set(err, ERR_INVALID, "Unknown character: '%s' in the detach keys", key);
}

int detach_keys_parse(const char *text, uint8_t ret_keys[16], unsigned *ret_count, struct err *err)
{
        _cleanup_strv_ char **keys = strv_split(str_empty(text) ? "ctrl-p,ctrl-q" : text, ",", true);
        unsigned count = 0;
        STRV_FOREACH (key, keys) {
                if (count == 16)
                        return err_set(err, ERR_INVALID, "too many detach keys: %s", text);
                if (key_parse(*key, &ret_keys[count++], err) < 0)
                        return -1;
        }
        *ret_count = count;
        return 0;
}
