using System.CommandLine;
using FedKSeed.Cli.Verbs;
using FedKSeed.Tests;

namespace FedKSeed.Cli.Tests;

/// <summary>A verb is one file: this one brings one, and nothing but the file says so.</summary>
public sealed class VerbSeamTests
{
    [Fact]
    public async Task A_verb_is_added_by_one_file()
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();

        var code = await FedKSeedCommand.InvokeAsync(["greet", "--name", "Ada"], output, errors, more: typeof(GreetVerb).Assembly);

        Assert.Equal((0, $"Hello, Ada.{Environment.NewLine}", ""), (code, output.ToString(), errors.ToString()));
    }

    [Fact]
    public async Task Its_failures_are_told_as_those_of_every_verb()
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();

        var code = await FedKSeedCommand.InvokeAsync(["greet", "--name", " "], output, errors, more: typeof(GreetVerb).Assembly);

        Assert.Equal(2, code);
        Assert.Contains("fedkseed: --name is empty.", errors.ToString(), StringComparison.Ordinal);
        Assert.Contains("See: fedkseed greet --help", errors.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Arrows_between_the_rooms_of_the_command_point_one_way()
    {
        // A room may use those that stand before it.
        string[] rooms = ["Display", "Remote", "Run", "Cluster", "Doctor", "Verbs"];
        var sources = Path.Combine(Path.GetDirectoryName(Vectors.Folder)!, "..", "src", "Cli");
        foreach (var (room, at) in rooms.Select((room, at) => (room, at)))
            foreach (var file in Directory.EnumerateFiles(Path.Combine(sources, room), "*.cs"))
            {
                var text = await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken);
                Assert.All(
                    rooms.Skip(at + 1),
                    later => Assert.DoesNotContain($"FedKSeed.Cli.{later};", text, StringComparison.Ordinal));
            }
        Assert.Equal(rooms.Order(), Directory.EnumerateDirectories(sources).Select(Path.GetFileName).Except(["bin", "obj"]).Order());
    }

    private sealed class GreetVerb : IVerb
    {
        public int Place => 1000;

        public Command Create(VerbContext context)
        {
            var name = new Option<string>("--name") { Required = true };
            var verb = new Command("greet", "Greet somebody.") { name };
            verb.SetAction(parsed =>
            {
                if (string.IsNullOrWhiteSpace(parsed.GetRequiredValue(name)))
                    throw new UsageException(["--name is empty."]);
                parsed.InvocationConfiguration.Output.WriteLine($"Hello, {parsed.GetRequiredValue(name)}.");
            });
            return verb;
        }
    }
}
