#include "clinux.h"
int clinux_version(void) { return 1; }
