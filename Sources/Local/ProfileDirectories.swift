internal import Linux

/// Where profiles lie besides the configuration: beside an installed binary, or in the source tree it was built in.
package enum ProfileDirectories {
    package static var standard: [String] {
        guard let executable = (try? Files.readlink("/proc/self/exe"))?.string else { return [] }
        let directory = executable[..<(executable.lastIndex(of: "/") ?? executable.startIndex)]
        var found: [String] = []
        for place in ["share/grace/sandbox-profiles", "../../sandbox-profiles"] {
            let path = "\(directory)/../\(place)"
            if (try? Files.status(path)) != nil { found.append(path) }
        }
        return found
    }
}
