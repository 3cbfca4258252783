using System.Net.Mime;
using MassTransit;
using MassTransit.Serialization;

namespace FedKSeed.Bus;

/// <summary>
/// Reads envelopes and drops the addresses in them. The bus would publish answers and faults to whatever address a sender names, and
/// declare what is missing there: a few messages with an address where nobody listens would stop a service for good. Nothing here asks and
/// waits for an answer, so no envelope of ours has one.
/// </summary>
internal sealed class EnvelopesWithoutAddresses : ISerializerFactory, IMessageDeserializer
{
    private static readonly SystemTextJsonMessageSerializer Json = SystemTextJsonMessageSerializer.Instance;

    public ContentType ContentType => Json.ContentType;

    public IMessageSerializer CreateSerializer() => Json;

    public IMessageDeserializer CreateDeserializer() => this;

    public ConsumeContext Deserialize(ReceiveContext receiveContext) => new WithoutAddresses(
        receiveContext, Json.Deserialize(receiveContext.Body, receiveContext.TransportHeaders, receiveContext.InputAddress));

    public SerializerContext Deserialize(MessageBody body, Headers headers, Uri? destinationAddress = null) =>
        Json.Deserialize(body, headers, destinationAddress);

    public MessageBody GetMessageBody(string text) => Json.GetMessageBody(text);

    public void Probe(ProbeContext context) => Json.Probe(context);

    private sealed class WithoutAddresses(ReceiveContext receiveContext, SerializerContext serializerContext)
        : BodyConsumeContext(receiveContext, serializerContext)
    {
        // Null is what an envelope without them gives, whatever the base's annotation says.
        public override Uri ResponseAddress => null!;

        public override Uri FaultAddress => null!;
    }
}
