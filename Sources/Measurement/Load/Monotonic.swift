private import Glibc

/// The monotonic clock, in nanoseconds.
enum Monotonic {
    static var now: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Sleeps until an instant, looking at `stop` every 50 ms; false when told to stop.
    static func sleep(until instant: Int64, unless stop: () -> Bool) -> Bool {
        while true {
            if stop() { return false }
            let time = now
            if time >= instant { return true }
            let next = min(instant, time + 50_000_000)
            var wake = timespec(tv_sec: Int(next / 1_000_000_000), tv_nsec: Int(next % 1_000_000_000))
            _ = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, nil)
        }
    }

    /// Seconds as nanoseconds.
    static func nanoseconds(_ seconds: Double) -> Int64 { Int64((seconds * 1e9).rounded()) }
}
