using FedKSeed.Federation.Log;
using FedKSeed.Tests;

namespace FedKSeed.Versions.Tests;

public sealed class LogFileTests : IDisposable
{
    private readonly SampleLog _sample = new();

    [Fact]
    public void A_torn_last_line_of_the_log_is_cut_off()
    {
        var whole = File.ReadAllBytes(_sample.Log);
        File.AppendAllText(_sample.Log, "{\"sequence\":99,\"ti");

        Assert.Equal(_sample.Events.Count, LogFile.TruncateTornLine(_sample.Log));
        Assert.Equal(whole, File.ReadAllBytes(_sample.Log));
        Assert.Equal(_sample.Events.Count, LogFile.TruncateTornLine(_sample.Log));
    }

    [Fact]
    public void Entries_are_read_in_order_with_the_events_that_were_written() =>
        Assert.Equal(
            _sample.Events.Select(happened => happened.GetType()), LogFile.Read(_sample.Log).Select(entry => entry.Event.GetType()));

    [Fact]
    public void A_line_that_is_not_text_is_named_by_its_entry()
    {
        var bytes = File.ReadAllBytes(_sample.Log);
        bytes[Array.IndexOf(bytes, (byte)'\n') + 5] = 0xFF;
        File.WriteAllBytes(_sample.Log, bytes);

        Assert.Equal(1, Assert.Throws<InvalidEntryException>(() => LogFile.Read(_sample.Log).Count()).Sequence);
    }

    [Fact]
    public void A_line_that_never_ends_is_refused_before_it_is_held()
    {
        const int Long = 10 * EventLog.MaximumLine;
        using (var file = new FileStream(_sample.Log, FileMode.Append))
            file.SetLength(file.Length + Long);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var refusal = Assert.Throws<InvalidEntryException>(() => LogFile.Read(_sample.Log).Count());

        Assert.Equal(_sample.Events.Count, refusal.Sequence);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, Long);
    }

    public void Dispose() => _sample.Dispose();
}
