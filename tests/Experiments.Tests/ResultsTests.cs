using System.Xml.Linq;
using FedKSeed.Federation;
using FedKSeed.Tests;

namespace FedKSeed.Experiments.Tests;

public sealed class ResultsTests : IDisposable
{
    private static readonly Experiment Two = new(
        "two", "Which of the two?", new FederationSettings { Rounds = 20 },
        [new Arm("one", settings => settings) { Rates = [0.1, 0.2] }, new Arm("another", settings => settings) { Rates = [0.1] }], Keys: 2);

    private readonly TemporaryFolder _folder = new();

    private static IReadOnlyList<Outcome> Outcomes { get; } =
    [
        ProgressTests.OutcomeOf(new DueRun(Two.Arms[0], 1, 0.1), 1, rounds: 20),
        ProgressTests.OutcomeOf(new DueRun(Two.Arms[0], 1, 0.2), null, rounds: 20),
        ProgressTests.OutcomeOf(new DueRun(Two.Arms[0], 2, 0.1), 2, rounds: 20),
        ProgressTests.OutcomeOf(new DueRun(Two.Arms[1], 1, 0.1), 3, rounds: 20),
    ];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_page_has_every_arm_at_its_best_rate_with_mean_and_spread()
    {
        var page = ResultsPage.Of(Two, Outcomes);

        // Losses 1 and 2: their mean, and √½; the other arm has one key and is twice as high.
        Assert.Contains("| one | 0.1 (the last tried) | 1.500 ± 0.707 | 1.000 |", page, StringComparison.Ordinal);
        Assert.Contains("| another | 0.1 | 3.000 | 2.000 |", page, StringComparison.Ordinal);
        Assert.Contains("Not whole yet: 4 of 5 runs", page, StringComparison.Ordinal);
    }

    [Fact]
    public void The_plot_is_an_image_that_names_every_arm()
    {
        var texts = XDocument.Parse(LossPlot.Of(Two, Outcomes)).Descendants().Where(element => element.Name.LocalName == "text")
            .Select(element => element.Value).ToArray();

        Assert.Contains("one", texts);
        Assert.Contains("another", texts);
    }

    [Fact]
    public void Outcomes_are_read_as_they_were_written_and_a_torn_line_is_written_anew()
    {
        var path = Path.Combine(_folder.Path, "outcomes.jsonl");
        var file = new OutcomesFile(path);
        foreach (var outcome in Outcomes)
            file.Append(outcome);
        File.AppendAllText(path, "{\"arm\":\"one\",\"ke");

        Assert.Equal(Outcomes, file.Read());
        file.Append(Outcomes[0]);
        Assert.Equal([.. Outcomes, Outcomes[0]], file.Read());
    }

    [Fact]
    public void A_file_of_something_else_is_named_with_its_line()
    {
        var path = Path.Combine(_folder.Path, "outcomes.jsonl");
        File.WriteAllText(path, "{\"arm\":1}\n");

        var fault = Assert.Throws<InvalidDataException>(() => new OutcomesFile(path).Read());
        Assert.Contains($"{path}, line 1", fault.Message, StringComparison.Ordinal);
    }
}
