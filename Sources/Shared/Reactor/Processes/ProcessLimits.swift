import CLinux
import Glibc

/// Limits and traits of this process, set once at start.
package enum ProcessLimits {
    /// Raises the soft limit of open descriptors to the hard one, and returns it.
    @discardableResult
    package static func raiseDescriptorLimit() throws(SystemError) -> UInt64 {
        var limit: UInt64 = 0
        try SystemError.check(unsafe clinux_raise_descriptor_limit(&limit), .setrlimit)
        return limit
    }

    /// Keeps this process's memory out of core files and away from debuggers of the same user.
    package static func disableCoreDumps() throws(SystemError) {
        try SystemError.check(clinux_disable_core_dumps(), .prctl)
    }

    /// Makes writing to a closed pipe an error instead of the end of the process.
    package static func ignoreBrokenPipe() throws(SystemError) {
        try SystemError.check(clinux_ignore_broken_pipe(), .signalfd)
    }

    /// The CPUs of this process's affinity mask, at least one.
    package static var processors: [Int] { SystemThread.processors() }

    /// The effective uid.
    package static var effectiveUser: UInt32 { clinux_effective_user() }

    package static var processIdentity: Int32 { clinux_process_identity() }

    /// Gives free pages of the heap back to the kernel; takes milliseconds where there are many.
    package static func trimHeap() { clinux_trim_heap() }

    /// Bytes of memory that the process occupies; nil where that cannot be told.
    package static func residentByteCount() -> Int? {
        let count = clinux_resident_bytes()
        return count > 0 ? Int(count) : nil
    }

    /// Ends the process at once; nothing that waits is finished.
    package static func exit(_ code: Int32) -> Never {
        _exit(code)
    }
}
