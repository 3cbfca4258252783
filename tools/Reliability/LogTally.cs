using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;

namespace FedKSeed.Reliability;

/// <summary>What was promised did not hold. The message says what, for a person.</summary>
public sealed class InvariantException(string message) : Exception(message);

/// <summary>
/// A log, folded as it grows, and counted beside the fold: the fold refuses what cannot follow, the counts would show what both the fold
/// and its writer got wrong together. Not safe for several threads.
/// </summary>
internal sealed class LogTally
{
    private readonly HashSet<AssignmentKey> _written = [];
    private readonly HashSet<AssignmentKey> _committed = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);

    public FederationState State { get; private set; } = new();

    /// <summary>Assignments whose reports are in the log.</summary>
    public IReadOnlySet<AssignmentKey> Written => _written;

    /// <summary>Whether the log holds the report of an assignment, by its name in Redis.</summary>
    public bool Holds(string assignment) => _names.Contains(assignment);

    /// <summary>Reports that commits took in.</summary>
    public int Committed => _committed.Count;

    /// <summary>Times that a report was in the log, or in a commit, beyond its first.</summary>
    public long Doubled { get; private set; }

    /// <summary>Checks the lines that follow, and takes them in.</summary>
    /// <returns>Rounds that they commit.</returns>
    /// <exception cref="InvariantException">The log is not dense, its chain is broken, or a commit takes in what is not there.</exception>
    public IReadOnlyList<int> Add(IEnumerable<string> lines)
    {
        List<int> rounds = [];
        foreach (var line in lines)
        {
            try
            {
                var entry = EventLog.Read(State.Head, line);
                State = FederationFold.Apply(State, entry);
                Count(entry.Event, rounds);
            }
            catch (InvalidEntryException fault)
            {
                throw new InvariantException($"The log does not fold: {fault.Message}");
            }
        }
        return rounds;
    }

    private void Count(LogEvent happened, List<int> rounds)
    {
        if (happened is ScalarsReportedEntry report)
        {
            _names.Add(report.Key.ToString());
            if (!_written.Add(report.Key))
                Doubled++;
        }
        if (happened is not RoundCommittedEntry commit)
            return;
        rounds.Add(commit.Round);
        foreach (var taken in commit.Reports)
        {
            if (!_committed.Add(taken.Key))
                Doubled++;
            if (!_written.Contains(taken.Key))
                throw new InvariantException($"Report {taken.Key} was applied in round {commit.Round} and is not in the log.");
        }
    }
}
