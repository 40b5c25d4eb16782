/* Between conf.c and conf_text.c only: keys by number. */
#pragma once

#include "kernel/lib/compiler.h"

/* The key's number, below 32, or -1. */
int conf_key_find(const char *name);
bool conf_key_repeats(int key);
bool conf_name_ok(const char *name);
