using System.CommandLine;

namespace FedKSeed.Reliability;

/// <summary>kills: as many campaigns as it takes to kill so many processes; their figures go into the page.</summary>
internal static class KillsCommand
{
    /// <summary>
    /// A restarted SeedService folds the whole log: a federation that went on for ever would measure that in the end, and nothing else.
    /// </summary>
    private const int KillsOfACampaign = 125;

    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(0.5);

    public static Command Create(TimeProvider time)
    {
        var count = new Option<int>("--count")
        {
            Description = "Processes to kill; other faults come on top.",
            DefaultValueFactory = _ => 1000
        };
        var seed = new Option<int>("--seed") { Description = "The schedule of faults follows from it.", DefaultValueFactory = _ => 1 };
        var samples = new Option<string>("--samples")
        {
            Description = "Folder of the sample federation.",
            DefaultValueFactory = _ => "samples"
        };
        var commitEvery = new Option<int>("--commit-every")
        {
            Description = "Continuous federations, which commit after so many reports; 0 for rounds with a quorum.",
            DefaultValueFactory = _ => 0,
        };
        var page = new Option<string?>("--page")
        {
            Description = "Markdown file that takes the table.",
            DefaultValueFactory = _ => "docs/RELIABILITY.md"
        };
        var command = new Command("kills", "Kill and stop processes of federations at random moments.") {
            count, seed, commitEvery, samples, page };
        command.SetAction((arguments, cancel) => RunAsync(
            arguments.GetRequiredValue(count), arguments.GetRequiredValue(seed), arguments.GetRequiredValue(commitEvery),
            arguments.GetRequiredValue(samples), arguments.GetValue(page), time, cancel));
        return command;
    }

    private static async Task<int> RunAsync(
        int count, int seed, int commitEvery, string samples, string? page, TimeProvider time, CancellationToken cancel)
    {
        var part = commitEvery == 0 ? "kills" : "kills-continuous";
        var reports = new List<CampaignReport>();
        // Better now than after an hour.
        if (page is not null)
            ReliabilityPage.Require(page, part);
        var began = time.GetTimestamp();
        try
        {
            while (reports.Sum(report => report.Kills) is var done && done < count)
            {
                var number = seed + reports.Count;
                Say($"campaign {reports.Count + 1}, seed {number}: {done} of {count} processes killed");
                reports.Add(await OneAsync(number, Math.Min(KillsOfACampaign, count - done), commitEvery, samples, Say, time, cancel));
                var table = await KillsTable.OfAsync(reports, seed, commitEvery, time);
                Console.WriteLine(table);
                if (page is not null)
                    ReliabilityPage.Replace(page, part, table);
            }
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested && reports.Count > 0)
        {
            Say("stopped: the table is of the campaigns that came to their end");
        }
        catch (Exception fault) when (fault is InvariantException or TimeoutException)
        {
            return 1;
        }
        return 0;

        void Say(string line) => Console.WriteLine($"{time.GetElapsedTime(began):hh\\:mm\\:ss} {line}");
    }

    private static async Task<CampaignReport> OneAsync(
        int seed, int kills, int commitEvery, string samples, Action<string> say, TimeProvider time, CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-kills-").FullName;
        try
        {
            var plan = new FleetPlan
            {
                Samples = samples,
                Folder = folder,
                Federation = FleetPlan.TinyFederation with { CommitEvery = commitEvery },
            };
            var report = await new Campaign(samples, folder, time, say) { Plan = plan }.RunAsync(
                FaultSchedule.Draw(seed, kills, Pace), seed, cancel);
            Directory.Delete(folder, recursive: true);
            return report;
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            say($"FAILED: {fault.Message} What the processes said is in {FederationServers.LogsIn(folder)}");
            throw;
        }
    }
}
