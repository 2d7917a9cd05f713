import CLinux

/// The host's wall clock: the one place where it is read.
package enum WallClock {
    /// Nanoseconds since 1970-01-01T00:00:00Z, as the host believes.
    package static func nanoseconds() -> Int64 {
        clinux_wall_nanoseconds()
    }
}
