#ifndef GRACE_CLINUX_H
#define GRACE_CLINUX_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
int clinux_version(void);
#endif
