#include "csandbox.h"
int main(int argc, char **argv) { return csandbox_main(argc, argv); }
