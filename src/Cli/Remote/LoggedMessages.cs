using FedKSeed.Contracts;
using FedKSeed.Federation.Log;

namespace FedKSeed.Cli.Remote;

/// <summary>
/// What an entry of a log says, in the words of the message that told of it: a view that is a fold of messages can so be made of a log.
/// Pure. How large messages were, and what happens between entries, no log says.
/// </summary>
internal static class LoggedMessages
{
    /// <returns>Null for an entry that no message told of.</returns>
    public static object? Of(string federation, int steps, LogEvent happened) => happened switch
    {
        RoundStartedEntry started => new RoundStarted
        {
            Federation = federation,
            Round = started.Round,
            Participants = started.Participants,
        },
        SeedsAssignedEntry assigned => new LocalProgress
        {
            Federation = federation,
            Assignment = assigned.Key,
            Worker = "",
            Step = 0,
            Steps = steps,
            Loss = null,
            AssignmentBytes = 0,
        },
        ScalarsReportedEntry reported => new ReportAccepted { Federation = federation, Assignment = reported.Key, ReportBytes = 0 },
        RoundCommittedEntry committed => new RoundCommitted
        {
            Federation = federation,
            Round = committed.Round,
            Version = committed.Version,
            Reports = committed.Reports.Count,
        },
        ModelEvaluatedEntry evaluated => new ModelEvaluated
        {
            Federation = federation,
            Version = evaluated.Version,
            Examples = evaluated.Examples,
            Loss = evaluated.Loss,
            ExactMatch = evaluated.ExactMatch,
            RougeL = evaluated.RougeL,
        },
        FederationClosedEntry closed => new FederationClosed
        {
            Federation = federation,
            Reason = closed.Reason.ToString(),
            Version = closed.Version,
        },
        _ => null,
    };
}
