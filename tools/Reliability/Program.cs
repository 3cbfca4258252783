using FedKSeed.Reliability;

var folder = Directory.CreateTempSubdirectory("fedkseed-reliability-").FullName;
var time = TimeProvider.System;
await using var servers = await FederationServers.StartAsync(folder);
Console.WriteLine(folder);
var plan = new FleetPlan { Samples = "samples", Folder = folder };
await using var witness = await Witness.StartAsync(servers.Addresses, plan.Federation.Name, time, default);
var began = time.GetTimestamp();
await using var fleet = await ServiceFleet.StartAsync(plan, servers.Addresses, default);
Console.WriteLine($"ready after {time.GetElapsedTime(began)}");
for (var k = 0; k < 10; k++)
{
    await Task.Delay(1000);
    await witness.AuditAsync(default);
    Console.WriteLine($"version {witness.State.Version}, {witness.State.Head.Length} entries, accepted {witness.Accepted}, committed {witness.Committed}");
}
foreach (var kind in new[] { fleet.Workers[0], fleet.SeedServices[0], fleet.RoundServices[0] })
{
    began = time.GetTimestamp();
    var round = witness.State.LastRound;
    await kind.KillAsync();
    await witness.UntilCommittedAsync(round, TimeSpan.FromSeconds(30), default);
    Console.WriteLine($"{kind.Name} round ended {time.GetElapsedTime(began)}");
    await kind.UntilReadyAsync(TimeSpan.FromSeconds(60), default);
    Console.WriteLine($"{kind.Name} back {time.GetElapsedTime(began)}");
}
await witness.AuditAsync(default);
await witness.ReplayAsync(default);
