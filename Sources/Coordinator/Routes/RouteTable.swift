internal import Documents
internal import HTTPTypes

/// Every route, in the order of the OpenAPI document.
enum RouteTable {
    static let missionsPath = "/mission-control/autonomous/missions"

    static var all: [Route] {
        missions + missionActs + review + hub + parliament + log + policies + administration + acts + agent + events
            + probes
    }

    static func parameter(_ name: String, _ schema: JSON, _ about: String, required: Bool = false) -> Route.Parameter {
        Route.Parameter(name: name, schema: schema, about: about, required: required)
    }

    static let limit = parameter(
        "limit", ["type": "integer", "minimum": 1, "maximum": 200, "default": 50], "How many at most.")
    static let after = parameter("after", ["type": "string"], "The `next` of the page before.")
    static let reason = parameter("reason", ["type": "string"], "Why; may also stand in the body.")
}
