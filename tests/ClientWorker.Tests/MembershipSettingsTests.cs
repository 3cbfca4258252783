using FedKSeed.Operations.Settings;
using Microsoft.Extensions.Configuration;

namespace FedKSeed.ClientWorker.Tests;

/// <summary>What is wrong with memberships is said all at once, each fault by the path of its setting.</summary>
public sealed class MembershipSettingsTests
{
    [Fact]
    public void Every_fault_of_every_membership_is_named_by_its_path()
    {
        var faults = Wrong(
            ("Memberships:0:Federation", "one"), ("Memberships:0:ModelFolder", "/model"),
            ("Memberships:0:Clients:0:Name", "a"), ("Memberships:0:Clients:0:Data", "a.jsonl"),
            ("Memberships:0:Clients:1:Name", "a"), ("Memberships:0:Clients:1:Data", "b.jsonl"),
            ("Memberships:1:Federation", "Not One"), ("Memberships:1:MaximumTokens", "7"), ("Memberships:1:BaseModelDigest", "abc"),
            ("Memberships:1:VirtualTokens", "-1"),
            ("Memberships:1:Clients:0:Name", "Ümit"), ("Memberships:1:Clients:1:Data", "c.jsonl"),
            ("Memberships:2:Federation", "one"), ("Memberships:2:ModelFolder", "/model"), ("Memberships:2:Evaluator:Name", "A b"),
            ("Memberships:2:Evaluator:Limit", "-1"), ("Memberships:2:Evaluator:MaximumNewTokens", "0"));

        Assert.Equal(
        [
            "Memberships: more than one of them is of federation 'one'.",
            "Memberships:0:Clients: more than one of them is called 'a'.",
            "Memberships:1:BaseModelDigest must be 64 hexadecimal digits, as fedkseed digest MODEL prints them.",
            "Memberships:1:Clients:0:Data is not set.",
            "Memberships:1:Clients:0:Name must be 1 to 63 lower-case letters, digits and hyphens, not beginning with a hyphen.",
            "Memberships:1:Clients:1:Name is not set.",
            "Memberships:1:Federation must be 1 to 63 lower-case letters, digits and hyphens, not beginning with a hyphen.",
            "Memberships:1:MaximumTokens must be between 8 and 1000000.",
            "Memberships:1:ModelFolder is not set.",
            "Memberships:1:VirtualTokens must be between 0 and 1000000.",
            "Memberships:2 has neither Clients nor Evaluator:Data: there would be nothing to do in it.",
            "Memberships:2:Evaluator:Limit must be between 0 and 2147483647.",
            "Memberships:2:Evaluator:MaximumNewTokens must be between 1 and 100000.",
            "Memberships:2:Evaluator:Name must be 1 to 63 lower-case letters, digits and hyphens, not beginning with a hyphen.",
        ], faults.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Sound_memberships_are_read_as_they_are_written_from_the_environment_too()
    {
        var read = Read(Configuration(
            ("Memberships:0:Federation", "one"), ("Memberships:0:ModelFolder", "/model"), ("Memberships:0:LongExamples", "Drop"),
            ("Memberships:0:Clients:0:Name", "a"), ("Memberships:0:Clients:0:Data", "a.jsonl"),
            ("Memberships:1:Federation", "two"), ("Memberships:1:ModelFolder", "/model"), ("Memberships:1:Evaluator:Data", "e.jsonl")));

        Assert.True(new MembershipsValidation().Validate(null, read).Succeeded);
        Assert.Equal(["one", "two"], read.Select(membership => membership.Federation));
        Assert.Equal(("a", "a.jsonl"), (read[0].Clients[0].Name, read[0].Clients[0].Data));
        Assert.Equal((null, "two"), (read[0].EvaluatorName, read[1].EvaluatorName));
        Assert.Equal((512, 0, 64), (read[1].MaximumTokens, read[1].VirtualTokens, read[1].Evaluator.MaximumNewTokens));
    }

    /// <summary>The binder would leave the whole membership out, and say nothing.</summary>
    [Fact]
    public void A_number_that_is_none_is_no_reason_to_leave_its_membership_out()
    {
        var fault = Assert.Throws<InvalidOperationException>(() => Read(Configuration(
            ("Memberships:0:Federation", "one"), ("Memberships:0:MaximumTokens", "many"))));
        Assert.Contains("'many' at 'Memberships:0:MaximumTokens'", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "Memberships:0:Clients:1:Nmae",
        "There is no setting Memberships:0:Clients:1:Nmae: did you mean Memberships:0:Clients:1:Name?")]
    [InlineData("Memberships:0:Federatoin", "There is no setting Memberships:0:Federatoin: did you mean Memberships:0:Federation?")]
    [InlineData("Memberships:0:Evaluator:Banana", "There is no setting Memberships:0:Evaluator:Banana, only Name, Data, Limit, ")]
    [InlineData(
        "Memberships:ModelFolder",
        "There is no setting Memberships:ModelFolder, Memberships is a list: did you mean Memberships:0:ModelFolder?")]
    [InlineData(
        "Memberships:0:Clients:Data", "Memberships:0:Clients is a list: did you mean Memberships:0:Clients:0:Data?")]
    [InlineData("Memberships:1", "There is no setting Memberships:1, Memberships is a list: Memberships:0:Federation and so on.")]
    [InlineData("Membership:0:Federation", "There is no section Membership: did you mean Memberships?")]
    [InlineData(
        "Federation:Name",
        "There is no section Federation any more: a worker is told the federations that it works in as Memberships:0")]
    [InlineData("Evaluator:Data", "There is no section Evaluator any more: each membership has its own, Memberships:0:Evaluator:Data")]
    [InlineData(
        "Worker:ModelFolder",
        "There is no setting Worker:ModelFolder any more: each membership has its own, Memberships:0:ModelFolder.")]
    [InlineData(
        "Worker:Clients:0:Name",
        "There is no setting Worker:Clients any more: each membership has its own, Memberships:0:Clients.")]
    [InlineData("Worker:Nmae", "There is no setting Worker:Nmae: did you mean Worker:Name?")]
    public void A_setting_that_does_not_exist_is_named_with_what_was_meant_or_replaces_it(string key, string said)
    {
        var configuration = Configuration(("Bus:Transport", "InMemory"), ("Memberships:0:Federation", "one"), (key, "x"));

        var fault = Assert.Single(SettingSection.Faults(configuration, ClientWorkerRegistration.Settings));

        Assert.Contains(said, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_process_without_memberships_is_told_what_it_needs() =>
        Assert.Contains(
            SettingSection.Faults(Configuration(("Bus:Transport", "InMemory")), ClientWorkerRegistration.Settings),
            fault => fault.StartsWith(
                "Nothing of section Memberships is set: a worker needs Memberships:0:Federation", StringComparison.Ordinal));

    [Fact]
    public void Help_describes_lists_in_lists_and_nothing_that_is_gone()
    {
        var help = SettingsHelp.Of("worker", ClientWorkerRegistration.Settings);

        Assert.Contains("  Memberships:0:Federation\n      Text, 1 to 63 lower-case letters", help, StringComparison.Ordinal);
        Assert.Contains("  Memberships:0:Clients:0:Data\n", help, StringComparison.Ordinal);
        Assert.Contains("  Memberships:0:Evaluator:Limit\n      Whole number, 0 to", help, StringComparison.Ordinal);
        Assert.DoesNotContain("Capacity", help, StringComparison.Ordinal);
        Assert.DoesNotContain("\nFederation", help, StringComparison.Ordinal);
        Assert.All(help.Split('\n'), line => Assert.InRange(line.Length, 0, 80));
    }

    private static IEnumerable<string> Wrong(params (string Key, string Value)[] settings) =>
        new MembershipsValidation().Validate(null, Read(Configuration(settings))) is { Failed: true, Failures: var faults } ? faults : [];

    private static List<MembershipOptions> Read(IConfiguration configuration)
    {
        List<MembershipOptions> read = [];
        MembershipOptions.Read(read, configuration);
        return read;
    }

    private static IConfiguration Configuration(params (string Key, string Value)[] settings) => new ConfigurationBuilder()
        .AddInMemoryCollection(settings.ToDictionary(item => item.Key, item => (string?)item.Value)).Build();
}
