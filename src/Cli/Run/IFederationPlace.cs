using FedKSeed.Observation;

namespace FedKSeed.Cli.Run;

/// <summary>
/// Where the services of a federation live while it runs: all in this process, or in processes of their own. What they do, and what is left
/// behind, is the same. Disposing ends them; what they wrote stays.
/// </summary>
internal interface IFederationPlace : IAsyncDisposable
{
    /// <summary>Starts the store, or finds the one that the plan names, which services use then.</summary>
    /// <returns>StackExchange.Redis configuration of it.</returns>
    Task<string> OpenStoreAsync(RunPlan plan, RunFolder folder, CancellationToken cancel);

    /// <summary>Starts a bus and all services, on the store that was opened.</summary>
    /// <param name="watch">Gets every message that people may want to see.</param>
    /// <returns>What records the federation, until its end or the failure of a part.</returns>
    Task<RunRecorder> StartAsync(RunPlan plan, RunFolder folder, FederationWatch watch, CancellationToken cancel);
}
