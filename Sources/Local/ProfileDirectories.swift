internal import Linux

/// Where profiles lie besides the configuration: beside an installed binary, or in the source tree it was built in.
package enum ProfileDirectories {
    package static var standard: [String] {
        guard let executable = (try? Files.readlink("/proc/self/exe"))?.string else { return [] }
        let directory = executable.split(separator: "/").dropLast().joined(separator: "/")
        return ["/\(directory)/../share/grace/sandbox-profiles", "/\(directory)/../../../sandbox-profiles"].filter {
            (try? Files.status($0)) != nil
        }
    }
}
