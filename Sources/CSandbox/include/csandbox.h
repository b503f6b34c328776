#ifndef GRACE_CSANDBOX_H
#define GRACE_CSANDBOX_H
int csandbox_main(int argc, char **argv);
#endif
