private import Glibc

/// How much worse the candidate's error rate may still be, given nothing but the counts of all requests together.
///
/// Per-block differences of rare events are skewed: ten blocks without an error look perfect to a sign test although a
/// rate of 1 in 300 would often look just so. So a PASS on `error_rate` also needs this bound to lie within the margin.
/// Without any error it is the rule of three: -ln(1 - confidence)/n, about 3/n at 95 %. With errors it combines
/// exact Poisson limits of both arms (Newcombe's square-and-add method for differences, Stat. Med. 17:873, 1998).
/// It can only make a PASS harder: bursts, which break it as a test of its own, are the sign-flip test's business.
public enum PooledBound {
    /// The upper limit of (candidate's rate - baseline's rate); `nil` without requests on either side.
    public static func increase(
        baselineErrors: Int, baselineRequests: Int, candidateErrors: Int, candidateRequests: Int, confidence: Double
    ) -> Double? {
        guard baselineRequests > 0, candidateRequests > 0 else { return nil }
        let base = Double(max(0, baselineErrors)) / Double(baselineRequests)
        let candidate = Double(max(0, candidateErrors)) / Double(candidateRequests)
        let up = upper(count: max(0, candidateErrors), confidence: confidence) / Double(candidateRequests) - candidate
        let down = base - lower(count: max(0, baselineErrors), confidence: confidence) / Double(baselineRequests)
        return candidate - base + (up * up + down * down).squareRoot()
    }

    /// Requests in all candidate arms together that a margin needs when no error is seen.
    public static func requestsNeeded(margin: Double, confidence: Double) -> Double {
        margin > 0 ? -log(1 - confidence) / margin : .infinity
    }

    /// The one-sided upper limit of a Poisson mean after `count` events.
    static func upper(count: Int, confidence: Double) -> Double {
        if count == 0 { return -log(1 - confidence) }
        return limit(count: count) { mean in atMost(count, mean: mean) > 1 - confidence }
    }

    /// The one-sided lower limit of a Poisson mean after `count` events.
    static func lower(count: Int, confidence: Double) -> Double {
        if count == 0 { return 0 }
        return limit(count: count) { mean in atMost(count - 1, mean: mean) > confidence }
    }

    /// The mean at which `holds` turns from true to false; it must be true for small means.
    private static func limit(count: Int, _ holds: (Double) -> Bool) -> Double {
        var low = 0.0
        var high = Double(count) + 20 * Double(count).squareRoot() + 50
        for _ in 0..<100 where high - low > 1e-9 * high {
            let middle = (low + high) / 2
            if holds(middle) { low = middle } else { high = middle }
        }
        return (low + high) / 2
    }

    /// P(X <= count) of a Poisson variable. Exact sums up to 2000 events, then the Wilson-Hilferty approximation
    /// (relative error of the limits below 1e-4 there).
    private static func atMost(_ count: Int, mean: Double) -> Double {
        if count < 0 { return 0 }
        if mean <= 0 { return 1 }
        guard count <= 2000 else {
            let k = Double(count) + 1
            let z = 3 * k.squareRoot() * (cbrt(mean / k) - 1 + 1 / (9 * k))
            return 0.5 * erfc(z / 2.0.squareRoot())
        }
        // From the largest term downwards in magnitude would be finer; in logarithms the sum is good to 1e-10 anyway.
        var logTerm = -mean
        var sum = exp(logTerm)
        var k = 1
        while k <= count {
            logTerm += log(mean / Double(k))
            sum += exp(logTerm)
            k += 1
        }
        return min(1, sum)
    }
}
