using System.Collections.Concurrent;
using FedKSeed.Contracts;

namespace FedKSeed.ClientWorker;

/// <summary>
/// The last report of each client in one federation: a repeated assignment is answered with it instead of being worked off again. Repeated
/// is what says the same in everything: whoever sends a client something that looks like its next assignment does not get to answer for it.
/// Safe to use from any thread.
/// </summary>
public sealed class FinishedReports
{
    private readonly ConcurrentDictionary<string, (string Assignment, ScalarsReported Report)> _byClient = new(StringComparer.Ordinal);

    public ScalarsReported? Find(SeedsAssigned assignment) =>
        _byClient.TryGetValue(assignment.Assignment.Client, out var last) && last.Assignment == IncomingMessages.Digest(assignment)
            ? last.Report
            : null;

    public void Keep(SeedsAssigned assignment, ScalarsReported report) =>
        _byClient[assignment.Assignment.Client] = (IncomingMessages.Digest(assignment), report);
}
