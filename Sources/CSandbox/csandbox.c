#include "csandbox.h"
int csandbox_main(int argc, char **argv) { return 0; }
