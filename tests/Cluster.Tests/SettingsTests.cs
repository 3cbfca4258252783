using System.Diagnostics;

namespace FedKSeed.Cluster.Tests;

/// <summary>A service that was set up wrongly says all that is wrong, in lines that a person can act on, and ends.</summary>
public sealed class SettingsTests(Servers servers)
{
    private const string SeedService = "FedKSeed.SeedService", RoundService = "FedKSeed.RoundService", Worker = "FedKSeed.ClientWorker";

    private const string OnABroker = "--Bus:Transport=RabbitMq --Bus:Broker=amqp://guest:guest@127.0.0.1:9/";

    [Theory]
    [InlineData(
        SeedService,
        2,
        "--Federation:Name=federation --Bus:Broker=nowhere --Bus:Heartbeat=01:00:00",
        "Federation",
        "Bus:Broker must",
        "Heartbeat")]
    [InlineData(
        RoundService,
        2,
        "--RoundService:Tick=1.00:00:00 --RoundService:ClockLease=00:00:00 --Federation:Name=federation",
        "Tick",
        "ClockLease",
        "Federation",
        "Nothing of section Bus is set: a service needs Bus:Transport")]
    [InlineData(
        Worker,
        2,
        "--Worker:Parallelism=0 --Worker:TorchThreads=999 --Memberships:0:Federation=one --Memberships:0:Evaluator:Limit=-1",
        "Parallelism",
        "TorchThreads",
        "Memberships:0:ModelFolder is not set",
        "Memberships:0:Evaluator:Limit must be",
        "Nothing of section Bus is set")]
    [InlineData(
        Worker,
        2,
        OnABroker + " --Memberships:0:Clients:0:Nmae=client-1 --Memberships:0:Clients:0:Data=x --Memberships:0:Clients:1:Name=Ümit"
            + " --Memberships:0:BaseModelDigset=x --Wroker:Device=cpu --Worker:Banana=1 --Federation:Name=one --Evaluator:Data=x",
        "There is no setting Memberships:0:Clients:0:Nmae: did you mean Memberships:0:Clients:0:Name?",
        "Memberships:0:Clients:0:Name is not set",
        "Memberships:0:Clients:1:Name must be 1 to 63 lower-case letters, digits and hyphens",
        "did you mean Memberships:0:BaseModelDigest?",
        "There is no section Wroker: did you mean Worker?",
        "There is no setting Worker:Banana, only ",
        "There is no section Federation any more: a worker is told the federations that it works in as Memberships:0:Federation",
        "There is no section Evaluator any more: each membership has its own")]
    [InlineData(Worker, 2, OnABroker + " --Worker:Device=cpu", "Nothing of section Memberships is set: a worker needs")]
    [InlineData(Worker, 2, OnABroker + " --Memberships:0:MaximumTokens=many", "'many' at 'Memberships:0:MaximumTokens'")]
    [InlineData(SeedService, 2, "--Bus:Transport=Pigeon", "Bus:Transport", "Pigeon")]
    [InlineData(
        Worker,
        1,
        OnABroker + " --Memberships:0:Federation=one --Memberships:0:ModelFolder=/nowhere --Memberships:0:Clients:0:Name=a"
            + " --Memberships:0:Clients:0:Data=/nothing.jsonl",
        "/nowhere",
        "/nothing.jsonl")]
    public async Task Every_wrong_setting_is_named_at_the_start(string program, int code, string arguments, params string[] named)
    {
        var (exitCode, output, said) = await RunAsync(program, arguments.Split(' '));

        Assert.Equal(code, exitCode);
        Assert.All(named, word => Assert.Contains(word, said, StringComparison.Ordinal));
        AssertLines(program, output, said);
    }

    [Theory]
    [InlineData("guest:wr0ng", "/", "does not let user 'guest' in: its name or its password is wrong")]
    [InlineData("guest:guest", "/elsewhere", "has no virtual host 'elsewhere' for user 'guest'")]
    public async Task A_broker_that_does_not_let_a_service_in_ends_it_in_one_line_without_the_password(
        string credentials, string virtualHost, string reason)
    {
        var (exitCode, output, said) = await RunAsync(
            RoundService, "--Bus:Transport=RabbitMq",
            $"--Bus:Broker=amqp://{credentials}@127.0.0.1:{servers.Broker.Node.Port}{virtualHost}",
            $"--Redis:Connection={servers.Redis.Connection}");

        Assert.Equal(2, exitCode);
        Assert.Contains(reason, Assert.Single(said.TrimEnd().Split('\n')), StringComparison.Ordinal);
        Assert.DoesNotContain(credentials.Split(':')[1] + "@", said + output, StringComparison.Ordinal);
        Assert.DoesNotContain("wr0ng", said + output, StringComparison.Ordinal);
        AssertLines(RoundService, output, said);
    }

    [Theory]
    [InlineData("--Bus:Broker=amqp://u:hidden@host:99999/")]
    [InlineData("--Redis:Connection=host:6379,password=hidden,connectTimeout=abc")]
    [InlineData("--Redis:Connection=host:6379,passwrd=hidden")]
    public async Task A_connection_that_cannot_be_read_is_named_and_not_repeated(string argument)
    {
        var (exitCode, output, said) = await RunAsync(SeedService, "--Bus:Transport=RabbitMq", argument);

        Assert.Equal(2, exitCode);
        Assert.Contains(argument.Split('=')[0][2..], said, StringComparison.Ordinal);
        Assert.DoesNotContain("hidden", said + output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_part_that_fails_ends_its_process_with_its_reason()
    {
        string[] arguments =
        [
            "--Bus:Transport=RabbitMq", $"--Bus:Broker={servers.Broker.Address}", "--Memberships:0:Federation=any",
            "--Memberships:0:ModelFolder=/nowhere", "--Memberships:0:Clients:0:Name=client-1", "--Memberships:0:Clients:0:Data=/nowhere",
        ];

        var (exitCode, output, said) = await RunAsync(Worker, arguments);
        Assert.Equal(1, exitCode);
        Assert.Contains("/nowhere", said, StringComparison.Ordinal);
        AssertLines(Worker, output, said);

        var (_, _, more) = await RunAsync(Worker, [.. arguments, "--verbose"]);
        Assert.Contains("   at ", more, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        SeedService, "Bus:Heartbeat", "Time, [days.]hours:minutes:seconds",
        "How messages travel")]
    [InlineData(RoundService, "RoundService:Tick", "00:00:00.5000000.", "How often the clock looks at")]
    [InlineData(Worker, "Memberships:0:Clients:0:Name", "1 to 63 lower-case letters, digits and hyphens", "Assignments worked off at once")]
    public async Task Help_prints_every_setting_with_range_default_and_words(string program, params string[] lines)
    {
        var (exitCode, output, _) = await RunAsync(program, "--help");

        Assert.Equal(0, exitCode);
        Assert.All(lines, line => Assert.Contains(line, output, StringComparison.Ordinal));
        Assert.All(output.Split('\n'), line => Assert.InRange(line.Length, 0, 80));
    }

    internal static void AssertLines(string program, string output, string said)
    {
        Assert.DoesNotContain("   at ", said + output, StringComparison.Ordinal);
        Assert.All(said.TrimEnd().Split('\n'), line => Assert.StartsWith(program + ":", line, StringComparison.Ordinal));
    }

    internal static async Task<(int ExitCode, string Output, string Errors)> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, program), arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            WorkingDirectory = Path.GetTempPath(),
            // RoundService listens there: on any free port.
            Environment = { ["ASPNETCORE_URLS"] = "http://127.0.0.1:0" },
        })!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var said = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, said);
    }
}
