using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rounds;
using FedKSeed.Federation.Sampling;
using static FedKSeed.Federation.Tests.Federations;

namespace FedKSeed.Federation.Tests;

/// <summary>A federation to which people do everything that they can do to one.</summary>
internal static class SteeredFederation
{
    public static List<string> Log()
    {
        List<string> log = [];
        var (book, now) = (new FederationState(), Start);
        // A cosine may differ between platforms in its last bit.
        var settings = Settings with
        {
            Name = "steered",
            Rounds = 6,
            Sampling = SamplingRule.Importance,
            Schedule = LearningRateSchedule.Constant,
        };
        Do(state => FederationDecisions.Open(state, settings, "ann@hospital-a"));
        Do(state => FederationDecisions.Bar(state, "client-4", "", "ann@hospital-a", null, now));
        Round("client-1", "client-2", "client-3");

        Do(state => FederationDecisions.Pause(state, "the store is copied to Z\u00fcrich", "ben"));
        Do(state => FederationDecisions.Resume(state, "ben"));

        // Barred in an open round, with a report in hand.
        Do(state => FederationDecisions.StartRound(state, 2, ["client-1", "client-2", "client-3"], now));
        var inHand = Reports("client-1", "client-2", "client-3");
        Do(state => FederationDecisions.Bar(state, "client-2", "labels of another task", "ann@hospital-a", now.AddHours(1), now));
        Do(state => FederationDecisions.Commit(state, 2, RoundEnd.Quorum, inHand, now));
        Do(state => FederationDecisions.Evaluate(state, new ModelEvaluatedEntry(2, 40, 2.5, 0.25, 0.5)));
        Do(state => FederationDecisions.Bar(state, "client-2", "it is being looked into", "ben", null, now));
        Round("client-1", "client-2", "client-3");
        Do(state => FederationDecisions.Readmit(state, "client-2", "new labels", "ann@hospital-a", now));

        // Paused and stopped in an open round.
        Do(state => FederationDecisions.StartRound(state, 4, ["client-1", "client-2", "client-3"], now));
        Do(state => FederationDecisions.Pause(state, "", "ben"));
        Do(state => FederationDecisions.Stop(state, "ann@hospital-a", Reports("client-2"), now, "good enough"));
        return log;

        void Do(Func<FederationState, IReadOnlyList<LogEvent>> decide)
        {
            now += TimeSpan.FromSeconds(1);
            book = book.Then(decide, log, now);
        }

        void Round(params string[] clients)
        {
            Do(state => FederationDecisions.StartRound(state, state.LastRound + 1, clients, now));
            Do(state => FederationDecisions.Commit(
                state, state.LastRound, RoundEnd.Quorum, Reports([.. clients.Where(book.Round!.Participants.Contains)]), now));
        }

        ScalarsReportedEntry[] Reports(params string[] clients) =>
            [.. clients.Select(client => Accepted(book, ReportOf(book, book.Round!.Number, client, 0.25f * (client[^1] - '2') - 0.125f)))];
    }
}
