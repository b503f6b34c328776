// What the tests run inside sandboxes: static, without a C library's own calls. Makes the denied call as often as its first argument
// says and exits with what the last one answered; with “w” it waits for ever.
#include <sys/syscall.h>

static long call(long number) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(0), "S"(0), "d"(0) : "rcx", "r11", "memory");
    return result;
}

__attribute__((noreturn, used)) static void begin(long *stack) {
    long times = 0, answer = 0;
    if (stack[0] > 1 && *(const char *)stack[2] == 'w')
        for (;;)
            call(SYS_pause);
    if (stack[0] > 1)
        for (const char *text = (const char *)stack[2]; *text >= '0' && *text <= '9'; text++)
            times = times * 10 + (*text - '0');
    for (long i = 0; i < times; i++)
        answer = -call(SYS_keyctl);
    for (;;)
        __asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(answer) : "rcx", "r11", "memory");
}

__attribute__((naked, noreturn, used)) void _start(void) {
    __asm__ volatile("mov %rsp, %rdi\n\tandq $-16, %rsp\n\tcall begin");
}
