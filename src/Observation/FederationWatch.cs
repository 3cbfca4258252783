namespace FedKSeed.Observation;

/// <summary>Holds the view of a federation and brings it up to date with every message. Safe to call from any thread.</summary>
/// <param name="start">What is known before the first message.</param>
public sealed class FederationWatch(FederationView start, TimeProvider time)
{
    private readonly Lock _lock = new();
    private FederationView _view = start;

    public FederationView View
    {
        get
        {
            lock (_lock)
                return _view;
        }
    }

    /// <summary>Raised after every message, with the view before and after it.</summary>
    public event Action<FederationView, FederationView>? Changed;

    public void Apply(object message)
    {
        lock (_lock)
        {
            var before = _view;
            _view = before.After(message, time.GetUtcNow());
            Changed?.Invoke(before, _view);
        }
    }
}
