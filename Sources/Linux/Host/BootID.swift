internal import CLinux

/// Which boot of the host this is, and how long it has been up. A deadline that must survive a restart of the daemon, but
/// not trust the wall clock, is a boot id with a boot time.
public enum BootID {
    /// The kernel's random id of this boot, 36 characters.
    public static func bootID() throws -> String {
        let text = try Files.readString("/proc/sys/kernel/random/boot_id", limit: 256)
        return String(text.prefix { !$0.isWhitespace })
    }

    /// Time since boot, sleep included (CLOCK_BOOTTIME).
    public static func bootTime() -> Duration { .nanoseconds(Int64(clamping: clinux_boot_nanoseconds())) }

    /// Seconds since boot, sleep included (CLOCK_BOOTTIME).
    public static func bootSeconds() -> Double { Double(clinux_boot_nanoseconds()) / 1e9 }

    /// Nanoseconds of the clock for measuring (CLOCK_MONOTONIC).
    public static func monotonicNanoseconds() -> UInt64 { clinux_monotonic_nanoseconds() }
}
