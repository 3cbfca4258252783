namespace FedKSeed.Contracts;

/// <summary>Which federations a process works for.</summary>
public interface IServedFederations
{
    ValueTask<bool> ServesAsync(string federation, CancellationToken cancel);
}
