/* Names for containers whose owner gave none: an adjective and the name of somebody who weighed, measured or carried. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "base/str.h"
#include "engine/engine-internal.h"

static const char *const adjectives[] = {
        "agile",  "airy",    "ample",  "apt",     "bold",    "brave",   "bright", "brisk",  "calm",    "candid", "careful",
        "cheery", "clean",   "clear",  "clever",  "cosy",    "crisp",   "curious", "daring", "deft",   "eager",  "early",
        "exact",  "fair",    "fast",   "festive", "fine",    "fluent",  "fond",   "frank",  "fresh",   "gentle", "glad",
        "golden", "graceful", "happy", "hardy",   "honest",  "humble",  "jolly",  "keen",   "kind",    "light",  "lively",
        "lucid",  "merry",   "mild",   "modest",  "neat",    "nimble",  "noble",  "patient", "plucky", "polite", "proud",
        "quick",  "quiet",   "rapid",  "ready",   "serene",  "sharp",   "silent", "sleek",  "smooth",  "sober",  "spry",
        "stable", "steady",  "sunny",  "swift",   "tender",  "tidy",    "trusty", "upbeat", "vivid",   "warm",   "wise",
        "witty",  "zesty",
};
static const char *const surnames[] = {
        "abel",      "agnesi",   "archimedes", "arnold",  "avogadro", "banneker", "bassi",   "bernoulli", "bessel",  "black",
        "bose",      "boyle",    "carson",     "cassini", "cavendish", "celsius", "chandra", "clarke",    "coulomb", "cray",
        "curie",     "dalton",   "delambre",   "dirac",   "eotvos",   "euler",    "fahrenheit", "faraday", "fermi",  "fourier",
        "franklin",  "galileo",  "gauss",      "germain", "hamilton", "helmholtz", "herschel", "hooke",   "hopper",  "hubble",
        "huygens",   "hypatia",  "joule",      "kelvin",  "kepler",   "khayyam",  "lagrange", "laplace",  "lavoisier", "leavitt",
        "lovelace",  "mclean",   "maxwell",    "mechain", "meitner",  "mendel",   "mitchell", "napier",   "newton",  "noether",
        "ohm",       "pascal",   "pauli",      "planck",  "ramanujan", "rankine", "ritchie", "rubin",     "sagan",   "somerville",
        "stevin",    "tesla",    "thompson",   "torricelli", "turing", "vernier", "volta",   "watt",      "wu",      "yonath",
};

static unsigned random_below(unsigned limit)
{
        char hex[9];
        random_hex(hex, 8);
        hex[8] = '\0';
        return (unsigned)(strtoul(hex, NULL, 16) % limit);
}

char *container_name_random(unsigned attempt)
{
        const char *a = adjectives[random_below(ELEMENTS(adjectives))], *s = surnames[random_below(ELEMENTS(surnames))];
        return attempt == 0 ? xasprintf("%s_%s", a, s) : xasprintf("%s_%s%u", a, s, random_below(attempt < 4 ? 1000 : 100000000));
}

bool container_name_valid(const char *name)
{
        static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
        return name[0] && strchr(first, name[0]) && name[1] && str_only(name, rest) && strlen(name) <= 255;
}
