internal import Linux

extension Preparation {
    /// Notes which file systems the layers stand on, for `grace doctor --holds`: the layers are private copies of mounts, which no
    /// mount table shows, and keep a file system busy that the host has long unmounted.
    func recordDevices(_ overlays: [PlannedOverlay]) throws {
        var found: Set<String> = []
        for overlay in overlays {
            let places = [overlay.live ?? overlay.mountPoint] + overlay.lowers + (overlay.upper.map { [$0.base] } ?? [])
            for place in places {
                if let device = ((try? Files.status(place)) ?? nil)?.device { found.insert("\(device)") }
            }
        }
        holds = try DeviceHolder.record(found.sorted(), of: name)
    }
}
