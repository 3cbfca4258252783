using System.ComponentModel.DataAnnotations;

namespace FedKSeed.RoundService;

/// <summary>Section "RoundService".</summary>
public sealed class RoundServiceOptions
{
    /// <summary>A client that was not heard of for this long takes part in no new round. Three heartbeats by default.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan ClientTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Of several RoundServices one has the clock. If it dies, another one takes it after this long.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:10:00")]
    public TimeSpan ClockLease { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often the clock looks at the book when no message wakes it.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:01:00")]
    public TimeSpan Tick { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>A decision whose effect is not in the book after this long is published again; its effect happens once.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:10:00")]
    public TimeSpan RepeatAfter { get; set; } = TimeSpan.FromSeconds(10);
}
