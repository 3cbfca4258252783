using System.Net.Sockets;
using FedKSeed.LocalServers;
using FedKSeed.LogStore;
using StackExchange.Redis;

namespace FedKSeed.Cli.Doctor;

/// <summary>What a cluster needs: a broker and a Redis, installed here or reachable.</summary>
internal static class ServerFindings
{
    private const int BrokerPort = 5672;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private const string NotForRun = "A plain run needs none.";

    public static async Task<IReadOnlyList<Finding>> AllAsync(Uri broker, string redis, CancellationToken cancel)
    {
        var reached = BrokerAsync(broker, Patience, cancel);
        var store = RedisAsync(redis, Patience);
        return
        [
            Installed("rabbitmq-server", "/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"),
            await reached,
            Installed("redis-server", "redis-server"),
            .. await store,
        ];
    }

    private static Finding Installed(string package, params string[] candidates)
    {
        try
        {
            return Finding.Ok(package, $"installed: {InstalledProgram.Find(package, candidates)}");
        }
        catch (ChildProcessException)
        {
            return new Finding(
                package, FindingState.Missing, "not installed", $"fedkseed cluster needs it: apt-get install {package}. {NotForRun}");
        }
    }

    /// <summary>A broker greets who speaks its protocol, before any name or password.</summary>
    public static async Task<Finding> BrokerAsync(Uri address, TimeSpan patience, CancellationToken cancel)
    {
        var shown = $"{address.Host}:{(address.Port > 0 ? address.Port : BrokerPort)}";
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limit.CancelAfter(patience);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(address.Host, address.Port > 0 ? address.Port : BrokerPort, limit.Token);
            if (address.Scheme == "amqps")
                return Finding.Ok("broker", $"{shown} accepts connections");
            await client.GetStream().WriteAsync("AMQP\0\0\t\u0001"u8.ToArray(), limit.Token);
            var answer = new byte[1];
            await client.GetStream().ReadExactlyAsync(answer, limit.Token);
            return answer[0] == 1
                ? Finding.Ok("broker", $"{shown} answers")
                : new Finding(
                    "broker", FindingState.Missing, $"What listens on {shown} does not speak AMQP 0-9-1.",
                    "Name the broker with --broker.");
        }
        catch (Exception fault) when (fault is SocketException or IOException or OperationCanceledException
            && !cancel.IsCancellationRequested)
        {
            return new Finding(
                "broker", FindingState.Missing, $"nobody answers on {shown}",
                "Services on many machines need one: --broker names another address, Bus:Broker sets it. fedkseed cluster starts its "
                    + $"own. {NotForRun}");
        }
    }

    public static async Task<IReadOnlyList<Finding>> RedisAsync(string configuration, TimeSpan patience)
    {
        var options = ConfigurationOptions.Parse(configuration);
        options.AbortOnConnectFail = true;
        options.ConnectRetry = 1;
        options.ConnectTimeout = options.SyncTimeout = options.AsyncTimeout = (int)patience.TotalMilliseconds;
        var shown = RedisRefusal.Addresses(configuration);
        try
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(options);
            return [Finding.Ok("Redis", $"{shown} answers"), .. await DurabilityAsync(connection.GetDatabase())];
        }
        catch (RedisException fault) when (RedisRefusal.Of(fault, configuration) is { } refusal)
        {
            return
            [
                new Finding(
                    "Redis", FindingState.Missing, refusal, "Redis:Connection, and --redis, take host:port,user=…,password=…."),
            ];
        }
        catch (RedisException)
        {
            return
            [
                new Finding(
                    "Redis", FindingState.Missing, $"nobody answers on {shown}",
                    "Services on many machines need one: --redis names another, Redis:Connection sets it. fedkseed cluster starts its "
                        + $"own. {NotForRun}"),
            ];
        }
    }

    /// <summary>Settings that can lose commits which were announced.</summary>
    private static async Task<IReadOnlyList<Finding>> DurabilityAsync(IDatabase redis)
    {
        var findings = new List<Finding>();
        foreach (var (setting, wanted, risk) in new[]
        {
            ("appendonly", "yes", "a restart loses the log since the last snapshot"),
            ("appendfsync", "always", "a power cut loses the last second of the log"),
            ("maxmemory-policy", "noeviction", "Redis may drop a log when memory gets short"),
        })
        {
            try
            {
                var answer = (RedisResult[]?)await redis.ExecuteAsync("CONFIG", "GET", setting);
                var value = answer is { Length: 2 } ? (string?)answer[1] : null;
                if (value is not null && value != wanted)
                    findings.Add(new Finding(
                        $"Redis {setting}", FindingState.Warning, $"{value}: {risk}",
                        $"redis-cli CONFIG SET {setting} {wanted}, and in redis.conf."));
            }
            catch (RedisServerException fault)
            {
                return [new Finding(
                    "Redis settings", FindingState.Warning, $"cannot be read: {fault.Message}",
                    "appendonly yes, appendfsync always, maxmemory-policy noeviction are what the log needs.")];
            }
        }
        return findings.Count > 0
            ? findings
            : [Finding.Ok("Redis settings", "a write is on disk before it is acknowledged; nothing is evicted")];
    }
}
