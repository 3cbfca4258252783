using System.CommandLine;

namespace FedKSeed.Reliability.Soak;

/// <summary>soak: a federation for hours under mixed faults; its figures and its plot go into the page.</summary>
internal static class SoakCommand
{
    public static Command Create(TimeProvider time)
    {
        var hours = new Option<double>("--hours") { Description = "How long it lasts.", DefaultValueFactory = _ => 1 };
        var seed = new Option<int>("--seed") { Description = "The faults follow from it.", DefaultValueFactory = _ => 1 };
        var samples = new Option<string>("--samples")
        {
            Description = "Folder of the sample federation.",
            DefaultValueFactory = _ => "samples"
        };
        var page = new Option<string?>("--page")
        {
            Description = "Markdown file that takes the table.",
            DefaultValueFactory = _ => "docs/RELIABILITY.md"
        };
        var plot = new Option<string>("--plot")
        {
            Description = "SVG file that takes the plot.",
            DefaultValueFactory = _ => "docs/images/soak.svg"
        };
        var command = new Command("soak", "Run one federation for hours under mixed faults, and watch memory, queues and connections.") {
            hours, seed, samples, page, plot };
        command.SetAction((arguments, cancel) => RunAsync(
            arguments.GetRequiredValue(hours), arguments.GetRequiredValue(seed), arguments.GetRequiredValue(samples),
            arguments.GetValue(page),
            arguments.GetRequiredValue(plot), time, cancel));
        return command;
    }

    private static async Task<int> RunAsync(
        double hours, int seed, string samples, string? page, string plot, TimeProvider time, CancellationToken cancel)
    {
        // Better now than after an hour.
        if (page is not null)
            ReliabilityPage.Require(page, "soak");
        var (folder, began) = (Directory.CreateTempSubdirectory("fedkseed-soak-").FullName, time.GetTimestamp());
        SoakReport report;
        try
        {
            report = await new SoakRun(samples, folder, time, Say).RunAsync(TimeSpan.FromHours(hours), seed, cancel);
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            Say($"FAILED: {fault.Message} What the processes said is in {FederationServers.LogsIn(folder)}");
            throw;
        }
        Directory.Delete(folder, recursive: true);
        var table = await SoakTable.OfAsync(report, $"soak --hours {hours} --seed {seed}", time);
        Console.WriteLine(table);
        foreach (var end in report.OwnEnds)
            Console.WriteLine(end);
        await File.WriteAllTextAsync(plot, SoakPlot.Of(report), cancel);
        if (page is not null)
            ReliabilityPage.Replace(page, "soak", table);
        return SoakTable.Holds(report) ? 0 : 1;

        void Say(string line) => Console.WriteLine($"{time.GetElapsedTime(began):hh\\:mm\\:ss} {line}");
    }
}
