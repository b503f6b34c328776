/// OpenSSH's pattern lists (ssh_config(5), PATTERNS): comma-separated, `*` and `?` as wildcards, `!` in front excludes.
struct PatternList: Sendable, Hashable {
    let text: String

    /// The patterns one by one, `!` included.
    var patterns: [String] {
        text.split(separator: ",", omittingEmptySubsequences: true).map(String.init)
    }

    /// The patterns that are plain names and do match the list as a whole.
    var names: [String] {
        patterns.filter { !$0.hasPrefix("!") && !$0.contains("*") && !$0.contains("?") && matches($0) }
    }

    /// Whether a pattern matches and no excluding one does (match_pattern_list in OpenSSH's match.c).
    func matches(_ name: String) -> Bool {
        var found = false
        for pattern in patterns {
            if pattern.hasPrefix("!") {
                if Self.match(Array(name.utf8)[...], Array(pattern.utf8.dropFirst())[...]) { return false }
            } else if Self.match(Array(name.utf8)[...], Array(pattern.utf8)[...]) {
                found = true
            }
        }
        return found
    }

    /// Iterative with one point of return, so that many stars cost no more than name times pattern.
    private static func match(_ name: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        var (place, want) = (name.startIndex, pattern.startIndex)
        var retry: (place: Int, want: Int)?
        while place < name.endIndex {
            if want < pattern.endIndex, pattern[want] == UInt8(ascii: "*") {
                want += 1
                retry = (place, want)
            } else if want < pattern.endIndex, pattern[want] == UInt8(ascii: "?") || pattern[want] == name[place] {
                place += 1
                want += 1
            } else if let back = retry {
                place = back.place + 1
                want = back.want
                retry = (place, want)
            } else {
                return false
            }
        }
        return pattern[want...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
