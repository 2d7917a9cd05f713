import Wire

/// How long ago something was, for people.
enum Age {
    /// Such as `12s ago`; the text itself when it is no time.
    static func text(_ value: Document?, now: Timestamp) -> String {
        guard let text = value?.text, let time = try? Timestamp(rfc3339: text) else {
            return value?.shown ?? Document.absentMark
        }
        let seconds = (now - time).components.seconds
        return seconds < 0 ? "in \(rounded(-seconds))" : "\(rounded(seconds)) ago"
    }

    /// A duration in its two largest units at most.
    static func rounded(_ seconds: Int64) -> String {
        let unit: Int64 =
            switch seconds {
            case 172_800...: 86_400
            case 7_200...: 3_600
            case 300...: 60
            default: 1
            }
        return DurationText.format(.seconds(seconds / unit * unit))
    }
}
