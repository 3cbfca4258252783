using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace FedKSeed.LocalServers;

/// <summary>A queue of a broker.</summary>
/// <param name="Messages">Those that wait and those that are being worked off.</param>
public sealed record QueueStatus(string Name, long Messages, int Consumers);

/// <summary>
/// The installed rabbitmq-server as a node of its own: own ports, data, cookie and port mapper, so that it needs no privileges and neither
/// sees nor disturbs another broker of the machine.
/// </summary>
public sealed class RabbitMqServer : IAsyncDisposable
{
    private const string Package = "rabbitmq-server";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    // Debian's wrappers in /usr/sbin insist on the system's user, and on its folders.
    private static readonly string[] Servers = ["/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"];
    private static readonly string[] Controls = ["/usr/lib/rabbitmq/bin/rabbitmqctl", "rabbitmqctl"];

    private readonly ChildProcess _portMapper;

    private readonly string _logFolder;

    private RabbitMqServer(ChildProcess portMapper, RabbitMqNode node, string logFolder)
    {
        (_portMapper, Node, _logFolder) = (portMapper, node, logFolder);
        Process = Launch();
    }

    public ChildProcess Process { get; private set; }

    public RabbitMqNode Node { get; }

    /// <summary>Address for AMQP clients.</summary>
    public Uri Address => new($"amqp://guest:guest@127.0.0.1:{Node.Port}/");

    /// <param name="folder">What lies there is deleted: queues carry messages, they are never the truth.</param>
    /// <param name="maximumMessageBytes">The broker refuses what is larger, and says why.</param>
    /// <exception cref="ChildProcessException">It is not installed, or does not start.</exception>
    public static async Task<RabbitMqServer> StartAsync(
        string folder, string logFolder, int maximumMessageBytes = 1 << 20, CancellationToken cancel = default)
    {
        var mapper = InstalledProgram.Find(Package, "epmd");
        var home = Path.GetFullPath(folder);
        if (Directory.Exists(home))
            Directory.Delete(home, recursive: true);
        Directory.CreateDirectory(home);
        var ports = InstalledProgram.FreePorts(3);
        var node = new RabbitMqNode($"fedkseed-{ports[0]}@localhost", ports[0], ports[1], ports[2], home);
        await File.WriteAllTextAsync(
            Path.Combine(home, "rabbitmq.conf"),
            $"""
            listeners.tcp.1 = 127.0.0.1:{node.Port}
            max_message_size = {maximumMessageBytes}
            raft.wal_max_size_bytes = 64000000
            log.console = true
            log.file = false

            """,
            cancel);
        await File.WriteAllTextAsync(Path.Combine(home, "enabled_plugins"), "[].\n", cancel);

        var portMapper = ChildProcess.Start("epmd", logFolder, mapper, [], node.Environment);
        var server = new RabbitMqServer(portMapper, node, logFolder);
        try
        {
            await server.UntilItListensAsync(cancel);
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
        return server;
    }

    /// <summary>Starts it again after it ended, with its data and on its port.</summary>
    /// <exception cref="ChildProcessException">It does not start.</exception>
    public async Task RestartAsync(CancellationToken cancel)
    {
        await Process.DisposeAsync();
        Process = Launch();
        await UntilItListensAsync(cancel);
    }

    /// <summary>All queues of a virtual host of a running node.</summary>
    /// <exception cref="ChildProcessException">The node does not answer.</exception>
    public static async Task<IReadOnlyList<QueueStatus>> QueuesAsync(
        RabbitMqNode node, CancellationToken cancel, string virtualHost = "/")
    {
        var said = await ControlAsync(
            node, cancel, "list_queues", "-p", virtualHost, "name", "messages", "consumers", "--formatter", "json");
        return JsonSerializer.Deserialize<List<QueueStatus>>(said, JsonSerializerOptions.Web)!;
    }

    /// <summary>Runs rabbitmqctl on a node.</summary>
    /// <returns>What it says.</returns>
    /// <exception cref="ChildProcessException">The node does not answer, or refuses.</exception>
    public static async Task<string> ControlAsync(RabbitMqNode node, CancellationToken cancel, params IEnumerable<string> arguments)
    {
        ArgumentNullException.ThrowIfNull(node);
        var start = new ProcessStartInfo(InstalledProgram.Find(Package, Controls), ["-n", node.Name, "-q", .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (key, value) in node.Environment)
            start.Environment[key] = value;
        using var control = System.Diagnostics.Process.Start(start)!;
        var errors = control.StandardError.ReadToEndAsync(cancel);
        var said = await control.StandardOutput.ReadToEndAsync(cancel);
        await control.WaitForExitAsync(cancel);
        return control.ExitCode == 0
            ? said
            : throw new ChildProcessException($"The broker {node.Name} does not answer: {(await errors).Split('\n')[0]}");
    }

    public async ValueTask DisposeAsync()
    {
        await Process.DisposeAsync();
        await _portMapper.DisposeAsync();
    }

    private ChildProcess Launch() =>
        ChildProcess.Start("rabbitmq", _logFolder, InstalledProgram.Find(Package, Servers), [], Node.ServerEnvironment);

    private Task UntilItListensAsync(CancellationToken cancel) =>
        Process.UntilAsync(cancel => InstalledProgram.AcceptsAsync(Node.Port, cancel), Patience, cancel);
}

/// <summary>What it takes to speak to a node as its operator.</summary>
/// <param name="Port">Of AMQP, on the loopback interface.</param>
/// <param name="DistributionPort">Where rabbitmqctl speaks to it.</param>
/// <param name="PortMapperPort">Of the node's own epmd.</param>
/// <param name="Home">Holds its cookie, its data and its configuration.</param>
public sealed record RabbitMqNode(string Name, int Port, int DistributionPort, int PortMapperPort, string Home)
{
    /// <summary>For the node, its port mapper, and rabbitmqctl.</summary>
    internal Dictionary<string, string> Environment => new()
    {
        ["HOME"] = Home,
        ["ERL_EPMD_PORT"] = PortMapperPort.ToString(CultureInfo.InvariantCulture),
        ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
        ["RABBITMQ_NODENAME"] = Name,
    };

    internal Dictionary<string, string> ServerEnvironment => new(Environment)
    {
        ["RABBITMQ_DIST_PORT"] = DistributionPort.ToString(CultureInfo.InvariantCulture),
        ["RABBITMQ_MNESIA_BASE"] = Path.Combine(Home, "data"),
        ["RABBITMQ_LOG_BASE"] = Path.Combine(Home, "log"),
        ["RABBITMQ_CONFIG_FILE"] = Path.Combine(Home, "rabbitmq"),
        ["RABBITMQ_ENABLED_PLUGINS_FILE"] = Path.Combine(Home, "enabled_plugins"),
        // Nodes find one another on this machine only; idle schedulers sleep instead of spinning on cores that the workers need.
        ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] = "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
        // The start script then becomes the server, which ends properly when it is told to.
        ["RUNNING_UNDER_SYSTEMD"] = "true",
    };
}
